import { testContract } from './contract.ts';

testContract('crun');
