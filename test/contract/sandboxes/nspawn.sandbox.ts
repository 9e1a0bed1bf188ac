import { testContract } from './contract.ts';

testContract('nspawn');
