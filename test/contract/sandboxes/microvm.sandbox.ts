import { testContract } from './contract.ts';

testContract('microvm');
