import { testContract } from './contract.ts';

testContract('osv');
